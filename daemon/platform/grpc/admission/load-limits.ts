import { refusedCredentialLimits, type RefusedCredentialLimits } from './refused-credentials.ts';

/** Admission limits: how much is in flight at once, in all and of one caller. */
export type LoadLimits = {
  /** Calls in flight in this process, of all users. */
  readonly all: number;
  /** Unary calls in flight of one user. */
  readonly userCalls: number;
  /** Streams of one method, of all users. */
  readonly streams: number;
  /** The same, of one user. */
  readonly userStreams: number;
  /** A stream is ended after so long without a request and without anything in flight. */
  readonly streamIdleMs: number;
  /** A stream that has done nothing for so long may be ended to make room for another. */
  readonly streamSettleMs: number;
  /**
   * Calls in flight that need no credential, of all networks. Past it, a network with none in
   * flight still gets one, up to twice as many in all.
   */
  readonly publicCalls: number;
  /** The same, from one network. */
  readonly publicCallsOfSource: number;
  /** The same, straight from programs on this machine. */
  readonly publicCallsOfHost: number;
  /** Watches of the health, of all networks; they need no credential. */
  readonly healthWatches: number;
  /** The same, from one network. */
  readonly healthWatchesOfSource: number;
  /** How fast credentials that are not accepted are refused, for each network. */
  readonly refusedCredentials: RefusedCredentialLimits;
};

export const loadLimits: LoadLimits = {
  all: 4_096,
  userCalls: 512,
  streams: 256,
  userStreams: 32,
  streamIdleMs: 60_000,
  streamSettleMs: 1_000,
  publicCalls: 1_000,
  publicCallsOfSource: 100,
  publicCallsOfHost: 500,
  healthWatches: 256,
  healthWatchesOfSource: 25,
  refusedCredentials: refusedCredentialLimits,
};
