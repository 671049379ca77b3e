import packageJson from '../package.json' with { type: 'json' };
import type { ServiceName } from './config/settings.ts';
import { createStatusHandler, type StatusSources } from './platform/status/handler.ts';
import type { Deps, Running } from './services.ts';

/** A service with its call GetStatus, which reports what this process knows of it. */
export function addStatus(name: ServiceName, running: Running, deps: Deps): Running {
  const { service } = running;
  const getStatus = createStatusHandler(listSources(name, running, deps));
  return { ...running, service: { ...service, handlers: { ...service.handlers, getStatus } } };
}

function listSources(name: ServiceName, running: Running, deps: Deps): StatusSources {
  const { config, dbs, broker, watch, schemaVersions } = deps;
  const db = dbs[name];
  if (!db) throw new Error(`${name} has no database`);
  const queues = running.consumers.map(({ queue }) => queue);
  const isOwn = (part: string): boolean =>
    part.startsWith(`${name}.`) || queues.some((queue) => part.startsWith(`consumer.${queue}`));
  const readParts = () => watch.read().filter(({ part }) => isOwn(part));
  const hasMessages = name !== 'auth';
  const { projectionLag, findTrouble } = running;
  return {
    version: packageJson.version,
    expectedVersion: schemaVersions[name] ?? 0,
    db,
    hasLetters: hasMessages,
    hasOutbox: hasMessages,
    hasCheckpoints: name === 'wallet',
    checkpointEveryMs: config.checkpointMinutes * 60_000,
    broker: hasMessages
      ? { isRabbitMq: config.rabbitmqUrl !== undefined, findTrouble: () => broker.findTrouble() }
      : undefined,
    readParts,
    ...(findTrouble ? { findTrouble } : {}),
    ...(projectionLag
      ? {
          readProjection: () => {
            const queue = `consumer.${config.statementQueue}`;
            const waiting = readParts().find(({ part }) => part === queue);
            return { last: projectionLag(), waitingMs: waiting?.ageMs ?? 0 };
          },
        }
      : {}),
  };
}
