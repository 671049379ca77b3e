import { startApp } from '../app.ts';
import type { Config } from '../config/config.ts';
import { onAbort } from '../platform/concurrency/abort.ts';
import type { Log } from '../platform/log.ts';
import type { StopSignals } from '../process/stop-signals.ts';
import { printFault, printLine } from './print.ts';

/**
 * Runs the daemon until it is asked to stop, and resolves to the exit code. The loss of the
 * embedded Postgres asks, too. A stop that comes before the daemon is ready ends the start.
 */
export async function runDaemon(config: Config, log: Log, stop: StopSignals): Promise<number> {
  const started = await startApp(config, log, stop.signal, (detail) => {
    log.fatal({ detail }, 'the embedded Postgres is gone');
    stop.ask('the embedded Postgres is gone');
  });
  if (!started.ok) return printFault(started.fault);
  const app = started.value;
  if (stop.signal.aborted) {
    const { clean } = await app.stop();
    printLine('walletd stopped before it was ready');
    return clean && !stop.hasFailed() ? 0 : 1;
  }
  // In one write: what reads the line for "ready" has the notices too.
  const notices = app.notices.map((notice) => `walletd: ${notice}`);
  const http = app.httpAddress === undefined ? [] : [`walletd: HTTP on ${app.httpAddress}`];
  printLine([`walletd ready: gRPC on ${app.address}`, ...http, ...notices].join('\n'));
  await new Promise<void>((resolve) => onAbort(stop.signal, resolve));
  printLine('walletd stopping: new calls are refused, those in flight are finished');
  const { clean } = await app.stop();
  return clean && !stop.hasFailed() ? 0 : 1;
}
