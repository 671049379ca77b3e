import { startWalletd, type Daemon, type Environment } from '../../../scripts/product.ts';
import { findFreePort } from '../../support/free-port.ts';
import { connect, type Connection } from '../../support/grpc/client.ts';

/** One of the daemons, through all its restarts. */
export type Node = {
  readonly name: string;
  readonly address: string;
  /** Of the process that runs now. */
  connection(): Connection;
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
  kill(): Promise<void>;
  /** In good order. */
  stop(): Promise<void>;
  /**
   * With the settings of the site, and these; `program` is another build than the usual one. With a
   * failpoint its end is no surprise.
   */
  start(extra?: Environment, program?: string): Promise<void>;
  /** Resolves once the process that runs now has ended. */
  exited(): Promise<number | null>;
  /** What all its processes have logged. */
  log(): string;
};

/** Called for a daemon that ended by itself. */
export type OnEnd = (node: string, code: number | null, log: string) => void;

export async function startNode(name: string, env: Environment, onEnd: OnEnd): Promise<Node> {
  const processes: Daemon[] = [];
  let listen = `127.0.0.1:${await findFreePort()}`;
  let connection: Connection | undefined;
  let isWanted = false;
  const current = (): Daemon => {
    const daemon = processes.at(-1);
    if (!daemon) throw new Error(`the ${name} daemon was not started`);
    return daemon;
  };
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
    isWanted = false;
    current().kill(signal);
    await current().exited;
  };
  const kill = (): Promise<void> => end('SIGKILL');
  const start = async (extra: Environment = {}, program?: string): Promise<void> => {
    const settings = { ...env, ...extra, WALLETD_LISTEN: listen };
    const daemon = await startWalletd(settings, [], [], program);
    listen = daemon.address;
    processes.push(daemon);
    connection?.close();
    connection = connect(listen);
    isWanted = extra['WALLETD_FAILPOINT'] === undefined;
    void daemon.exited.then((code) => {
      if (isWanted) onEnd(name, code, daemon.log().slice(-4_000));
    });
  };
  process.once('exit', () => processes.at(-1)?.kill('SIGKILL'));
  await start();
  return {
    name,
    address: listen,
    connection: () => connection ?? connect(listen),
    signal: (signal) => current().kill(signal),
    kill,
    stop: () => end('SIGTERM'),
    exited: () => current().exited,
    start,
    log: () => processes.map((daemon) => daemon.log()).join('\n'),
  };
}
