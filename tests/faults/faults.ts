import { setTimeout as sleep } from 'node:timers/promises';

import pg from 'pg';

import { walletIdOf } from '../../core/ids.ts';
import type { Random } from '../fuzz/random.ts';
import { currency } from './book.ts';
import { between, pause, pickNode, randomOf, type Load } from './load.ts';
import type { Person } from './site.ts';
import type { FaultKind } from './timeline.ts';

/** Causes one fault within so many milliseconds, and ends it. */
type Fault = (load: Load, random: Random, withinMs: number) => Promise<void>;

export type FaultOptions = {
  readonly kinds: readonly FaultKind[];
  /** Whose wallets are locked. */
  readonly lockable: readonly Person[];
};

/**
 * First each kind alone, then mixes; after each one there is no fault for a while. A lock lasts as
 * long as several mixes of the other kinds.
 */
export async function runFaults(load: Load, { kinds, lockable }: FaultOptions): Promise<void> {
  const { timing } = load;
  const others = kinds.filter((kind) => kind !== 'locks');
  const oneDown = createTurns();
  const faults: Readonly<Record<FaultKind, Fault>> = {
    locks: (_load, random) => lock(load, random, lockable),
    stops: (_load, random, withinMs) => oneDown(() => stop(load, random, withinMs)),
    clock: (_load, random, withinMs) => stepClock(load, random, withinMs),
    kills: (_load, random) => oneDown(() => kill(load, random)),
    broker: (_load, random) => cutBroker(load, random),
  };
  await pause(load, between(randomOf(load, 'faults', 0), timing.quietMs));
  for (let episode = 0; !load.isOver(); episode += 1) {
    const random = randomOf(load, 'faults', episode + 1);
    const alone = kinds[episode];
    const hasLock = alone ? alone === 'locks' : kinds.includes('locks') && random.chance(60);
    const mixes = hasLock ? Math.max(1, Math.round(timing.lockMs / timing.mixMs)) : 1;
    const locked = hasLock ? faults.locks(load, random, timing.lockMs) : Promise.resolve();
    for (let mix = 0; mix < mixes && !load.isOver(); mix += 1) {
      const chosen = alone
        ? others.filter((kind) => kind === alone)
        : others.filter(() => random.chance(hasLock ? 35 : 60));
      const withinMs = timing.mixMs;
      await Promise.all([
        ...chosen.map((kind) => faults[kind](load, random, withinMs)),
        pause(load, withinMs),
      ]);
    }
    await locked;
    await pause(load, between(random, timing.quietMs));
  }
}

/** Another program holds one wallet's row. */
async function lock(load: Load, random: Random, lockable: readonly Person[]): Promise<void> {
  const walletId = walletIdOf(random.pick(lockable).id, currency);
  const client = new pg.Client({ connectionString: load.site.ownerUrl });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query('SELECT 1 FROM wallets WHERE id = $1 FOR UPDATE', [walletId]);
    const end = load.timeline.begin('locks', walletId);
    await pause(load, load.timing.lockMs);
    await client.query('ROLLBACK');
    end();
  } finally {
    await client.end();
  }
}

async function stop(load: Load, random: Random, withinMs: number): Promise<void> {
  await pause(load, random.int(withinMs / 4));
  const node = pickNode(load, random);
  const end = load.timeline.begin('stops', node.name);
  node.signal('SIGSTOP');
  await pause(load, between(random, load.timing.stopMs));
  node.signal('SIGCONT');
  end();
}

/** One step of 2 s and, later, one back. */
async function stepClock(load: Load, random: Random, withinMs: number): Promise<void> {
  const { clock } = load.site;
  await pause(load, random.int(withinMs / 4));
  const offset = random.pick([2, -2]);
  const end = load.timeline.begin('clock', `${offset > 0 ? '+' : ''}${offset} s`);
  await clock.set(offset);
  await pause(load, between(random, [withinMs / 4, (withinMs * 3) / 4]));
  await clock.set(0);
  end();
}

async function kill(load: Load, random: Random): Promise<void> {
  const node = pickNode(load, random);
  const end = load.timeline.begin('kills', node.name);
  await node.kill();
  await sleep(between(random, [300, 2_000]));
  await node.start();
  end();
}

async function cutBroker(load: Load, random: Random): Promise<void> {
  const { broker, vhost } = load.site;
  const end = load.timeline.begin('broker', 'all connections');
  await broker.ctl('close_all_connections', '--vhost', vhost, 'fault run');
  await pause(load, random.int(1_000));
  end();
}

/** One after the other: at least one daemon always runs. */
function createTurns(): (work: () => Promise<void>) => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  return (work) => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
}
