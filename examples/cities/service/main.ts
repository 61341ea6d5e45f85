/** One service process: the REST interface over the database process. */
import 'reflect-metadata';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { TimeMethod } from '../demo/messages';
import { tellDemo } from '../demo/tell-demo';
import { CitiesModule } from './cities.module';
import { timeMethods } from './method-timing';
import { settings } from './settings';

async function main(): Promise<void> {
  const starting = start();
  process.on('SIGINT', () => undefined); // Ctrl-C is the parent's to handle: it ends this process in order
  // When the demo goes, the service closes. Nothing may then keep the process alive: there is no `process.exit` here.
  process.on('disconnect', () => void starting.then((service) => service.close()));

  const service = await starting;
  process.on('message', ({ calls }: TimeMethod) => {
    void timeMethods(service, calls).then((timing) => tellDemo({ kind: 'timed', ...timing }));
  });
  tellDemo({ kind: 'ready', port: ((service.getHttpServer() as Server).address() as AddressInfo).port });
}

async function start(): Promise<INestApplication> {
  const service = await NestFactory.create(CitiesModule.forRoot(settings(process.env)), { logger: ['error', 'warn'] });
  await service.listen(0, '127.0.0.1');
  return service;
}

void main();
