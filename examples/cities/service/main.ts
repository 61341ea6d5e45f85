/** One service process: the REST interface over the database process. */
import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import { NestFactory } from '@nestjs/core';
import type { ServiceMessage, TimeMethod } from '../demo/messages';
import { CitiesModule } from './cities.module';
import { timeMethods } from './method-timing';
import { settings } from './settings';

async function main(): Promise<void> {
  process.on('SIGINT', () => undefined); // Ctrl-C is the parent's to handle: it ends this process in order
  const service = await NestFactory.create(CitiesModule.forRoot(settings(process.env)), { logger: ['error', 'warn'] });
  await service.listen(0, '127.0.0.1');
  // The demo is parent and client in one. When it goes, the service closes; nothing may then keep the process alive.
  process.on('disconnect', () => void service.close());
  process.on('message', ({ calls }: TimeMethod) => {
    void timeMethods(service, calls).then((timing) => tell({ kind: 'timed', ...timing }));
  });
  tell({ kind: 'ready', port: ((service.getHttpServer() as Server).address() as AddressInfo).port });
}

function tell(message: ServiceMessage): void {
  process.send?.(message);
}

void main();
