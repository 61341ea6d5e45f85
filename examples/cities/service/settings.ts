/** What a service process is told by its environment. */
export interface Settings {
  databasePort: number;
  /** Absent: memory only. */
  redisUrl: string | undefined;
}

export function settings(environment: NodeJS.ProcessEnv): Settings {
  const databasePort = Number(environment.DATABASE_PORT);
  if (!Number.isInteger(databasePort) || databasePort < 1) {
    throw new Error(
      `DATABASE_PORT: expected the port of the database process, got ${JSON.stringify(environment.DATABASE_PORT)}`,
    );
  }
  return { databasePort, redisUrl: environment.REDIS_URL };
}
