/** The object that stands for a request, so that everybody who opens its context finds the same one. */
import type { ExecutionContext } from '@nestjs/common';
import { type ContextSource, currentContext, OpenContext } from './context';

const contexts = new WeakMap<object, OpenContext>();

/** The context of an HTTP request, in any of its forms. */
export function contextOfRequest(request: object, sources: Readonly<Record<string, ContextSource>>): OpenContext {
  // Fastify's own request holds the one that middleware sees.
  const carrier = (request as { raw?: object }).raw ?? request;
  const context = contexts.get(carrier) ?? new OpenContext({}, currentContext(), sources, request);
  context.request = request;
  contexts.set(carrier, context);
  return context;
}

/** The context of whatever a handler is called for: all resolvers of a GraphQL request share one, each message has its own. */
export function contextOfExecution(
  execution: ExecutionContext,
  sources: Readonly<Record<string, ContextSource>>,
): OpenContext {
  const type = execution.getType<string>();
  if (type === 'http') return contextOfRequest(execution.switchToHttp().getRequest<object>(), sources);
  if (type === 'graphql') {
    const graphql = execution.getArgByIndex<{ req?: object; request?: object }>(2);
    return contextOfRequest(graphql.req ?? graphql.request ?? graphql, sources);
  }
  return new OpenContext({}, currentContext(), sources, execution.getArgByIndex<unknown>(0));
}
