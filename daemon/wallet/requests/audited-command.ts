import type { AuditActor } from '../../platform/audit/audit.ts';
import type { Command, Entry, Hold } from '../domain.ts';

/** Commands of one call, by an id that the caller has no say in. */
export type AuditGroup = { readonly kind: 'stream' | 'batch'; readonly id: string };

/** How a command is recorded, in the commit that decides it. */
export type CommandAudit = {
  readonly actor: AuditActor;
  /** One of its own for each time that something is submitted: a command, or many together. */
  readonly id: string;
  /** Commands of the same stream or batch share a line per commit, which names counts. */
  readonly group: AuditGroup | undefined;
  /** The letter whose changed message this is, and what its line says besides the movement. */
  readonly deadLetter?: {
    readonly id: string;
    readonly details: Readonly<Record<string, string>>;
  };
};

/** What is committed: a command, with the record that staff's commands and replays have. */
export type AuditedCommand = Command & { readonly audit?: CommandAudit };

/** A transaction as the caller gets it: its entry, and whether the key had been used before. */
export type AuditedDecision = {
  readonly entry: Entry;
  readonly isReplayed: boolean;
  /** Of a hold, capture or release: the hold after it; of a replay as it is at a later time. */
  readonly hold?: HoldAt;
};
type HoldAt = { readonly hold: Hold; readonly atMs: number };
