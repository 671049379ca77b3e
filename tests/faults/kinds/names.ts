/** Of two faults on the same part, one would hide the other: they are never in one mix. */
export const partsOfFaults = {
  locks: 'wallet',
  stops: 'daemon',
  kills: 'daemon',
  restarts: 'daemon',
  steps: 'daemon',
  clock: 'database clock',
  'daemon-clock': 'daemon clock',
  'database-kills': 'database',
  'database-stops': 'database',
  'database-restarts': 'database',
  'read-only': 'database',
  disk: 'database',
  'commit-answers': 'network',
  'commits-lost': 'network',
  cuts: 'network',
  delays: 'network',
  silence: 'network',
  broker: 'broker',
  'broker-kills': 'broker',
  'broker-stops': 'broker',
  'broker-restarts': 'broker',
  alarm: 'broker',
  queue: 'broker',
  'slow-listener': 'listener',
} as const;

export type FaultKind = keyof typeof partsOfFaults;
export const faultKinds = Object.keys(partsOfFaults) as FaultKind[];

export const isFaultKind = (text: string): text is FaultKind =>
  (faultKinds as string[]).includes(text);
