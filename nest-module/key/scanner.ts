/**
 * Walks over JavaScript source without understanding it: knows only what may hide a comma or a bracket, which are
 * strings, templates, regular expressions and comments. Enough to step over a default value in a parameter list.
 */
const IDENTIFIER = /[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*/uy;
const SPACE = /(?:\s|\/\/[^\n\r\u2028\u2029]*|\/\*[^]*?\*\/)+/y;
const REGULAR_EXPRESSION = /\/(?:[^\\/[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[\p{ID_Continue}$]*/uy;
const NUMBER = /\.?\d[\w.]*/y;
/** After one of these words a slash begins a regular expression; after any other word it divides. */
const OPERATOR_WORDS = new Set([
  'typeof',
  'void',
  'delete',
  'new',
  'in',
  'of',
  'instanceof',
  'return',
  'await',
  'yield',
  'case',
  'do',
  'else',
]);
const CLOSING: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };

export class Scanner {
  position = 0;

  constructor(readonly source: string) {}

  get done(): boolean {
    return this.position >= this.source.length;
  }

  /** The next character that is neither space nor comment, without taking it. */
  peek(): string {
    this.#match(SPACE);
    return this.source.charAt(this.position);
  }

  /** Takes `text` if it comes next. */
  take(text: string): boolean {
    this.peek();
    if (!this.source.startsWith(text, this.position)) return false;
    this.position += text.length;
    return true;
  }

  takeIdentifier(): string | undefined {
    this.peek();
    return this.#match(IDENTIFIER);
  }

  /** Takes a string literal and gives its text; escapes are left as they are written. */
  takeString(): string | undefined {
    const quote = this.peek();
    if (quote !== '"' && quote !== "'") return undefined;
    const start = this.position;
    this.#skipQuoted(quote);
    return this.source.slice(start + 1, this.position - 1);
  }

  takeNumber(): string | undefined {
    this.peek();
    return this.#match(NUMBER);
  }

  /** Steps over one expression: up to a comma or a closing bracket that belongs to what is around it. */
  skipExpression(): void {
    let valueBefore = false;
    while (!this.done) {
      const next = this.peek();
      if (next === '' || next === ',' || next === ')' || next === ']' || next === '}') return;
      valueBefore = this.#skipToken(next, valueBefore);
    }
  }

  /** Steps over a bracket and all it holds. */
  skipBrackets(): void {
    const closing = CLOSING[this.peek()];
    this.position += 1;
    let valueBefore = false;
    while (!this.done && this.peek() !== closing) valueBefore = this.#skipToken(this.peek(), valueBefore);
    this.position += 1;
  }

  /** Steps over one token; `true` when it ends a value, so that a slash after it divides. */
  #skipToken(next: string, valueBefore: boolean): boolean {
    if (next in CLOSING) {
      this.skipBrackets();
      return true;
    }
    if (next === '"' || next === "'") {
      this.#skipQuoted(next);
      return true;
    }
    if (next === '`') {
      this.#skipTemplate();
      return true;
    }
    if (next === '/' && !valueBefore && this.#match(REGULAR_EXPRESSION) !== undefined) return true;
    const word = this.#match(IDENTIFIER);
    if (word !== undefined) return !OPERATOR_WORDS.has(word);
    if (this.#match(NUMBER) !== undefined) return true;
    this.position += 1;
    return false;
  }

  #skipQuoted(quote: string): void {
    this.position += 1;
    while (!this.done && this.source[this.position] !== quote)
      this.position += this.source[this.position] === '\\' ? 2 : 1;
    this.position += 1;
  }

  #skipTemplate(): void {
    this.position += 1;
    while (!this.done && this.source[this.position] !== '`') {
      if (this.source.startsWith('${', this.position)) {
        this.position += 1;
        this.skipBrackets();
      } else {
        this.position += this.source[this.position] === '\\' ? 2 : 1;
      }
    }
    this.position += 1;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.position;
    const match = pattern.exec(this.source);
    if (match === null) return undefined;
    this.position = pattern.lastIndex;
    return match[0];
  }
}
