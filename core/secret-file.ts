import { quoteForShell } from './shell-word.ts';

/** What the system says of an open file. */
export type FileFacts = {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  isFile(): boolean;
};

/** Who reads a secret: the users that may own it, and the groups that a file of root may be for. */
export type SecretReader = { readonly uids: readonly number[]; readonly gids: readonly number[] };

export type SecretProblem = {
  /** Continues a sentence that begins with the file's name. */
  readonly problem: string;
  /** The command that fixes it, where there is one. */
  readonly command?: string;
};

/**
 * Why a file must not be used as a secret, or undefined if it may. Only its owner has access, who
 * is the reader or root. The group of a file of root may read it, if the reader is in that group:
 * that is how Kubernetes, systemd and Debian hand secrets to a service.
 */
export function findSecretProblem(
  path: string,
  facts: FileFacts,
  reader: SecretReader,
): SecretProblem | undefined {
  if (!facts.isFile()) return { problem: 'is not a regular file' };
  if (!reader.uids.includes(facts.uid)) {
    return {
      problem: `belongs to the user with id ${facts.uid}, who could change it`,
      command: `chown ${reader.uids.at(-1) ?? 0} ${quoteForShell(path)}`,
    };
  }
  const isForGroup = facts.uid === 0 && reader.gids.includes(facts.gid);
  const excess = facts.mode & (isForGroup ? 0o037 : 0o077);
  if (excess === 0) return undefined;
  const mode = (facts.mode & 0o777).toString(8).padStart(4, '0');
  const verb = (excess & 0o044) === 0 ? 'changed' : 'read';
  return {
    problem: `can be ${verb} by other users (mode ${mode})`,
    command: `chmod 600 ${quoteForShell(path)}`,
  };
}
