/** A step at which a daemon of the test build can kill itself. */
type Failpoint = {
  readonly name: string;
  /** It dies at one of its first so many arrivals there. */
  readonly maxHits: number;
  readonly file: string;
  /** A text of the file that is there exactly once, and where the step is beside it. */
  readonly at: string;
  readonly where: 'before' | 'after';
  /** Only the daemon that publishes the outbox comes there: the first that is started. */
  readonly isOfRelay?: boolean;
};

const transaction = 'daemon/platform/db/transaction.ts';
const relay = 'daemon/platform/outbox/relay.ts';
const pump = 'daemon/platform/broker/amqp/pump.ts';

/** Not in the source: the test build plants a call at each. */
export const failpoints: readonly Failpoint[] = [
  {
    name: 'before commit',
    maxHits: 100,
    file: transaction,
    at: '    tag = await driven(sendCommit(client, timeoutMs));',
    where: 'before',
  },
  {
    name: 'after commit',
    maxHits: 100,
    file: transaction,
    at: "  if (tag !== 'COMMIT') throw new Error(`COMMIT was answered with ${tag}`);",
    where: 'after',
  },
  {
    name: 'between read and publish',
    maxHits: 20,
    file: relay,
    isOfRelay: true,
    at: '    const [own, listening] = await Promise.allSettled([',
    where: 'before',
  },
  {
    name: 'between publish and delete',
    maxHits: 20,
    file: relay,
    isOfRelay: true,
    at: '    const unconfirmed = new Set(own.value);',
    where: 'after',
  },
  {
    name: 'between commit and acknowledgement',
    maxHits: 20,
    file: pump,
    at: '    const left = await work(batch);',
    where: 'after',
  },
  {
    name: 'after acknowledgement',
    maxHits: 20,
    file: pump,
    at: '    ackAll(channel, batch, held);',
    where: 'after',
  },
];

/** What the planted calls are named; a normal build has no such name. */
export const failpointFunction = 'reachFailpoint';

/** The source text of a file with the calls of its failpoints; unchanged where it has none. */
export function plantFailpoints(file: string, text: string): string {
  return failpoints
    .filter((failpoint) => failpoint.file === file)
    .reduce((planted, { name, at, where }) => {
      if (planted.split(at).length !== 2) throw new Error(`${file} does not have this once: ${at}`);
      const call = `globalThis.${failpointFunction}?.(${JSON.stringify(name)});`;
      const lines = where === 'before' ? [call, at] : [at, call];
      return planted.replace(at, () => lines.join('\n'));
    }, text);
}

/**
 * In front of the program: at the nth arrival at the step that `WALLETD_FAILPOINT=NAME:n` names it
 * kills itself, without another line of its own.
 */
export const failpointBanner = `globalThis.${failpointFunction} = (() => {
  const [name, count] = (process.env.WALLETD_FAILPOINT ?? '').split(':');
  let hits = 0;
  return (reached) => {
    if (reached === name && ++hits === Number(count)) process.kill(process.pid, 'SIGKILL');
  };
})();`;
