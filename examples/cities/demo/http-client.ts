import { Agent, request } from 'node:http';

export interface HttpAnswer {
  status: number;
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
    return this.send('GET', path);
  }

  async patch(path: string, body: object): Promise<HttpAnswer> {
    return this.send('PATCH', path, JSON.stringify(body));
  }

  close(): void {
    this.agent.destroy();
  }

  private send(method: string, path: string, body?: string): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const start = performance.now();
      const headers =
        body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
      const sent = request(
        { host: '127.0.0.1', port: this.port, agent: this.agent, method, path, headers },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const time = performance.now() - start;
            const text = Buffer.concat(chunks).toString('utf8');
            const status = response.statusCode ?? 0;
            if (status >= 400) reject(new Error(`${method} ${path}: ${status} ${text}`));
            else resolve({ status, body: JSON.parse(text), time });
          });
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });
  }
}
