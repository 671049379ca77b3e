import { startApp } from '../app.ts';
import type { Config } from '../config.ts';
import type { Log } from '../platform/log.ts';
import { printFault, say } from './print.ts';

/**
 * Runs the daemon until it is told to stop, and resolves to the exit code. The first SIGTERM or
 * SIGINT drains, a second one ends the process at once. So does the loss of the embedded Postgres.
 */
export async function runDaemon(config: Config, log: Log): Promise<number> {
  let askToStop: (code: number) => void = () => undefined;
  const stopAsked = new Promise<number>((resolve) => {
    askToStop = resolve;
  });
  let signals = 0;
  const onSignal = (): void => {
    signals += 1;
    if (signals > 1) process.exit(1);
    askToStop(0);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);

  const started = await startApp(config, log, (detail) => {
    log.fatal({ detail }, 'the embedded Postgres is gone');
    askToStop(1);
  });
  if (!started.ok) return printFault(started.fault);
  const app = started.value;
  // In one write: what reads the line for "ready" has the notices too.
  const notices = app.notices.map((notice) => `walletd: ${notice}`);
  say([`walletd ready: gRPC on ${app.address}`, ...notices].join('\n'));
  const code = await stopAsked;
  say('walletd stopping: new calls are refused, those in hand are finished');
  const { clean } = await app.stop();
  return clean ? code : 1;
}
