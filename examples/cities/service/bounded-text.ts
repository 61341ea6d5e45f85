import { BadRequestException } from '@nestjs/common';

/** A text of 1 to `max` characters without control characters (PostgreSQL refuses NUL), without blanks around it. */
export function boundedText(name: string, value: unknown, max: number): string {
  const text = typeof value === 'string' ? value.trim() : '';
  if (text === '' || text.length > max || /\p{Cc}/u.test(text)) {
    throw new BadRequestException(`${name}: expected a text of 1 to ${max} characters`);
  }
  return text;
}
