import { createRandom } from '../../fuzz/random.ts';
import { groupBy } from '../checkers/group.ts';
import { between, pause, randomOf, type Load } from '../load/load.ts';
import type { PlannedFault } from '../schedule/schedule.ts';
import type { Cause, FaultScene } from './cause.ts';
import {
  alarmBroker,
  cutBroker,
  deleteQueue,
  killBroker,
  pauseListener,
  restartBroker,
  stopBroker,
} from './brokers.ts';
import { killAtStep, killDaemon, restartDaemon, stepDaemonClock, stopDaemon } from './daemons.ts';
import {
  cutCommitAnswers,
  cutNetwork,
  delayNetwork,
  fillDisk,
  killPostgres,
  lockWallet,
  loseCommits,
  makeReadOnly,
  restartPostgres,
  silenceNetwork,
  stepClock,
  stopPostgres,
} from './databases.ts';
import type { FaultKind } from './names.ts';

const causes: Readonly<Record<FaultKind, Cause>> = {
  locks: lockWallet,
  stops: stopDaemon,
  kills: killDaemon,
  restarts: restartDaemon,
  steps: killAtStep,
  clock: stepClock,
  'daemon-clock': stepDaemonClock,
  'database-kills': killPostgres,
  'database-stops': stopPostgres,
  'database-restarts': restartPostgres,
  'read-only': makeReadOnly,
  disk: fillDisk,
  'commit-answers': cutCommitAnswers,
  'commits-lost': loseCommits,
  cuts: cutNetwork,
  delays: delayNetwork,
  silence: silenceNetwork,
  broker: cutBroker,
  'broker-kills': killBroker,
  'broker-stops': stopBroker,
  'broker-restarts': restartBroker,
  alarm: alarmBroker,
  queue: deleteQueue,
  'slow-listener': pauseListener,
};

type FaultOptions = Omit<FaultScene, 'load' | 'random' | 'fault'> & {
  readonly faults: readonly PlannedFault[];
};

/** One episode after the other, with a quiet window behind each. */
export async function runFaults(load: Load, { faults, ...shared }: FaultOptions): Promise<void> {
  const { timing, seed } = load;
  const episodes = groupBy(faults, ({ episode }) => String(episode));
  await pause(load, between(randomOf(load, 'quiet', 0), timing.quietMs));
  for (const [episode, planned] of episodes) {
    if (load.isOver()) return;
    await Promise.all(
      planned.map(async (fault) => {
        await pause(load, fault.afterMs);
        if (load.isOver()) return;
        load.tally.faults += 1;
        const random = createRandom(seed, 'fault', fault.id);
        await causes[fault.kind]({ ...shared, load, random, fault });
      }),
    );
    const { report, book, tally } = load;
    report.say(`${book.all.size} operations and ${tally.faults} faults so far`);
    await pause(load, between(randomOf(load, 'quiet', Number(episode)), timing.quietMs));
  }
}
