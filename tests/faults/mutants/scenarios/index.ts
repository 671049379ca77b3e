import type { Scenario } from '../stage.ts';
import { cutBroker } from './broker-cut.ts';
import { stepClockAhead } from './clock-ahead.ts';
import { stepClockBack } from './clock-back.ts';
import { cutCommits } from './commit-cut.ts';
import { runCrowd } from './crowd.ts';
import { repeatEvents } from './events-again.ts';
import { holdAndSpend } from '../hold-scenario/holds.ts';
import { useKeysAgain } from './keys-and-undos.ts';
import { killBeforeCommit } from './killed-before-commit.ts';
import { delayLine } from './line-delayed.ts';
import { makeLinesReadOnly } from './lines-read-only.ts';
import { lockRow } from './locked-row.ts';
import { repeatMessage } from './message-again.ts';
import { reportOpenPeriod } from './period-not-over.ts';
import { runQuietly } from './quiet.ts';
import { makeServerReadOnly } from './server-read-only.ts';
import { slowDownCommit } from './slow-commit.ts';
import { takeTurns } from './turns.ts';
import { moveBetweenWallets } from './two-wallets.ts';

/** Directed runs. Each is passed by the product as it is. */
export const scenarios = {
  crowd: runCrowd,
  turns: takeTurns,
  'message again': repeatMessage,
  'commit cut': cutCommits,
  'keys and undos': useKeysAgain,
  'two wallets': moveBetweenWallets,
  'holds and limits': holdAndSpend,
  'clock back': stepClockBack,
  'locked row': lockRow,
  'server read-only': makeServerReadOnly,
  'killed before commit': killBeforeCommit,
  'broker cut': cutBroker,
  'slow commit': slowDownCommit,
  quiet: runQuietly,
  'clock ahead': stepClockAhead,
  'events again': repeatEvents,
  'line delayed': delayLine,
  'lines read-only': makeLinesReadOnly,
  'period not over': reportOpenPeriod,
} as const satisfies Readonly<Record<string, Scenario>>;

export type ScenarioName = keyof typeof scenarios;
