import { join } from 'node:path';
import { DemoProcess } from './child-process';
import { HttpClient } from './http-client';
import { withProgressLine } from './progress-line';
import type { Stage } from './stage';

/** A running service: its process, and a client over one connection. */
export interface Service {
  process: DemoProcess;
  port: number;
  client: HttpClient;
}

export async function startService(
  stage: Stage,
  name: string,
  databasePort: number,
  redisUrl?: string,
): Promise<Service> {
  return withProgressLine(name, async (line) => {
    line.show('starting');
    const environment = {
      DATABASE_PORT: `${databasePort}`,
      ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
    };
    const process = await stage.own(() => new DemoProcess(name, join(__dirname, '../service/main.js'), environment));
    const port = await process.ready();
    const client = new HttpClient(port);
    await stage.own(() => ({ stop: async () => client.close() }));
    return [`Nest at http://127.0.0.1:${port}`, { process, port, client }];
  });
}
