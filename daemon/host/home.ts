import { homedir, userInfo } from 'node:os';

/** Who runs this process, and where its files go by default. */
export type Home = {
  readonly uid: number;
  /** Undefined where the host says nothing of the user, and HOME is not set. */
  readonly homeDir: string | undefined;
  readonly xdgDataHome?: string;
};

/** A container may run under a user id that the host has no entry for. */
export function findHome(): Home {
  try {
    const { uid, homedir: homeDir } = userInfo();
    return { uid, homeDir };
  } catch {
    return { uid: process.geteuid?.() ?? -1, homeDir: findVariable() };
  }
}

function findVariable(): string | undefined {
  try {
    return homedir();
  } catch {
    return undefined;
  }
}
