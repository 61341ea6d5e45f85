import { Agent, type IncomingHttpHeaders, request } from 'node:http';

export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  /** Parsed; `undefined` for none. */
  body: unknown;
  /** From the start of the request to the end of the answer, in milliseconds. */
  time: number;
}

/** A client of one service over a fixed number of connections that stay open. */
export class HttpClient {
  private readonly agent: Agent;

  constructor(
    private readonly port: number,
    connections = 1,
  ) {
    this.agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** Answers below 400 resolve; anything else is an error that names the request and what came back. */
  async get(path: string): Promise<HttpAnswer> {
    return this.succeed('GET', path);
  }

  async patch(path: string, body: object): Promise<HttpAnswer> {
    return this.succeed('PATCH', path, body);
  }

  /** Any answer, whatever its status. */
  send(method: string, path: string, headers: Record<string, string> = {}, body?: object): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const start = performance.now();
      const text = body === undefined ? undefined : JSON.stringify(body);
      const ofBody =
        text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
      const sent = request(
        { host: '127.0.0.1', port: this.port, agent: this.agent, method, path, headers: { ...headers, ...ofBody } },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const time = performance.now() - start;
            const answer = Buffer.concat(chunks).toString('utf8');
            const parsed: unknown = answer === '' ? undefined : JSON.parse(answer);
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body: parsed, time });
          });
        },
      );
      sent.on('error', reject);
      sent.end(text);
    });
  }

  close(): void {
    this.agent.destroy();
  }

  private async succeed(method: string, path: string, body?: object): Promise<HttpAnswer> {
    const answer = await this.send(method, path, {}, body);
    if (answer.status < 400) return answer;
    throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }
}
