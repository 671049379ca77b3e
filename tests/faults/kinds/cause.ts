import { setTimeout as sleep } from 'node:timers/promises';

import type { Random } from '../../fuzz/random.ts';
import type { Listener } from '../load/listener.ts';
import type { Load } from '../load/load.ts';
import type { PlannedFault } from '../schedule/schedule.ts';
import type { FaultNode } from '../site/fault-site.ts';
import type { Person } from '../site/people.ts';

export type FaultScene = {
  readonly load: Load;
  readonly random: Random;
  readonly fault: PlannedFault;
  readonly listener: Listener;
  /** Whose wallets are locked. */
  readonly lockable: readonly Person[];
  /** The program with failpoints, built when it is first needed. */
  buildWithFailpoints(): Promise<string>;
};

/** Causes one fault and ends it; resolves once all is as it was before. */
export type Cause = (scene: FaultScene) => Promise<void>;

export const pickFaultNode = ({ load, random }: FaultScene): FaultNode =>
  random.pick(load.site.nodes);

/** A fault from its begin to its end, which comes also where `work` fails. */
export async function during(
  { load, fault }: FaultScene,
  target: string,
  work: () => Promise<unknown>,
): Promise<void> {
  const end = load.timeline.begin(fault.kind, target);
  try {
    await work();
  } finally {
    end();
  }
}

/** As long as the fault lasts: also where the load is over meanwhile. */
export const last = ({ fault }: FaultScene): Promise<void> => sleep(fault.forMs);

const startTries = 40;

/** Starts a daemon; where its database does not answer now, again and again. */
export async function startAgain(
  node: FaultNode,
  ...[extra, program]: Parameters<FaultNode['start']>
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await node.start(extra, program);
      return;
    } catch (err) {
      if (tries === startTries) throw err;
      await sleep(500);
    }
  }
}
