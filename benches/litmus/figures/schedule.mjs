/**
 * Five minutes of faults, and the same in forty seconds. Each has a beginning and an end, in seconds; between two faults the lines are
 * whole for long enough to see that all is as it was.
 */
export const LONG = {
  seconds: 300,
  faults: [
    { name: 'redis killed', start: 20, end: 25 },
    { name: 'redis frozen', start: 45, end: 75 },
    { name: 'cuts', start: 95, end: 105 },
    { name: 'half-open', start: 125, end: 135 },
    { name: 'bus silent', start: 155, end: 165 },
    { name: 'slow', start: 185, end: 195 },
    { name: 'failover', start: 215, end: 218 },
    { name: 'redis killed', start: 250, end: 255 },
  ],
};

export const SHORT = {
  seconds: 40,
  faults: [
    { name: 'redis killed', start: 4, end: 5 },
    { name: 'redis frozen', start: 9, end: 13 },
    { name: 'cuts', start: 17, end: 18.5 },
    { name: 'half-open', start: 22, end: 25 },
    { name: 'bus silent', start: 28, end: 30 },
    { name: 'failover', start: 34, end: 35 },
  ],
};

/** How a fault is begun and ended. `stage` has the members, the server that is primary, its replica and the line between them. */
export const FAULTS = {
  'redis killed': {
    begin: ({ primary }) => primary.kill('SIGKILL'),
    end: ({ primary }) => primary.start(),
  },
  'redis frozen': {
    begin: ({ primary }) => primary.kill('SIGSTOP'),
    end: ({ primary }) => primary.kill('SIGCONT'),
  },
  /** All lines of one process break, again and again. */
  cuts: {
    begin(stage) {
      stage.cutting = setInterval(() => stage.members[0].proxy.cut(), 300);
    },
    end: ({ cutting }) => clearInterval(cutting),
  },
  /** Nothing goes through the lines of one process, and nobody is told. */
  'half-open': {
    begin: ({ members }) => members[1].proxy.halfOpen(),
    end: ({ members }) => members[1].proxy.heal(),
  },
  'bus silent': {
    begin: ({ members }) => members[2].proxy.halfOpen('bus'),
    end: ({ members }) => members[2].proxy.heal(),
  },
  slow: {
    begin: ({ members }) => members.forEach(({ proxy }) => proxy.delay(40, { jitter: 40 })),
    end: ({ members }) => members.forEach(({ proxy }) => proxy.heal()),
  },
  /** The replica takes over; what it had not heard of is lost. */
  failover: {
    async begin(stage) {
      stage.line.halfOpen();
      await new Promise((resolve) => setTimeout(resolve, 200));
      await stage.primary.kill('SIGKILL');
    },
    async end(stage) {
      await stage.replica.cli('REPLICAOF', 'NO', 'ONE');
      stage.primary = stage.replica;
      for (const { proxy } of stage.members) {
        proxy.targetPort = stage.replica.port;
        proxy.cut();
      }
    },
  },
};
