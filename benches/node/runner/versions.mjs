import { readFileSync } from 'node:fs';

const root = new URL('../../../', import.meta.url);
const json = (path) => JSON.parse(readFileSync(new URL(path, root), 'utf8'));

/** Version by package, as installed. An alias such as `ioredis-6` is a name like any other. */
export function installedVersions(packages) {
  return Object.fromEntries(packages.map((name) => [name, json(`node_modules/${name}/package.json`).version]));
}

/** What differs between what is installed, what package.json pins and what the lockfile says; one sentence each. */
export function versionFaults(packages, { installed = installedVersions(packages), manifest, lock } = {}) {
  const { devDependencies } = manifest ?? json('package.json');
  const locked = (lock ?? json('package-lock.json')).packages;
  return packages.flatMap((name) => {
    const pinned = devDependencies[name]?.replace(/^npm:.*@/, '');
    const inLock = locked[`node_modules/${name}`]?.version;
    if (pinned === installed[name] && inLock === pinned) return [];
    return [`${name} ${installed[name]} is installed, package.json pins ${pinned}, the lockfile ${inLock}`];
  });
}

export const ownVersion = () => json('package.json').version;
