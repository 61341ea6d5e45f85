/** Requests over connections that stay open, so many in flight, each the next of a list. */
import { Agent, request } from 'node:http';

/** Milliseconds of each request, and of all together. `check(path, body)` sees every answer. */
export async function load(port, paths, inFlight, check) {
  const agent = new Agent({ keepAlive: true, maxSockets: inFlight });
  const times = new Float64Array(paths.length);
  let next = 0;
  const lane = async () => {
    while (next < paths.length) {
      const at = next++;
      const start = performance.now();
      const body = await get(agent, port, paths[at]);
      times[at] = performance.now() - start;
      check(paths[at], body);
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: inFlight }, lane));
  const elapsed = performance.now() - start;
  agent.destroy();
  return { times: times.sort(), elapsed };
}

function get(agent, port, path) {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, agent, path }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const body = Buffer.concat(chunks).toString('utf8');
        if (response.statusCode === 200) resolve(body);
        else reject(new Error(`GET ${path}: ${response.statusCode} ${body}`));
      });
    });
    sent.on('error', reject);
    sent.end();
  });
}
