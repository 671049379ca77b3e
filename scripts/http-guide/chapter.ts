/** A command of the guide, as it is printed and as it is run. */
export type Step = {
  /** Markdown before the command. */
  readonly text?: string;
  /** For `sh`, in a folder of its own, with the variables that earlier steps have kept. */
  readonly command: string;
  /** What the answer must have; undefined for a command that shows no status. */
  readonly status?: number;
  readonly exitCode?: number;
  /** Variables, and where their values are in the JSON of the answer: `tokens.accessToken`. */
  readonly keep?: Readonly<Record<string, string>>;
  /** The answer is as the one before: it is not printed. */
  readonly isSilent?: true;
  /** What happens elsewhere before the command. */
  readonly before?: (site: Site) => Promise<void>;
};

export type Chapter = {
  readonly title: string;
  readonly text: string;
  readonly steps: readonly Step[];
  /** Markdown after the last command. */
  readonly end?: string;
};

/** What steps can have done besides their commands. */
export type Site = {
  readonly variables: Map<string, string>;
  /** Makes a user on the host, with the password of the guide. */
  createStaff(email: string, role: 'admin' | 'operator'): Promise<void>;
  /** Waits until the statement of `TOKEN` has all transactions of the ledger. */
  waitForLines(): Promise<void>;
  /** Starts the daemon again, with a mail server. */
  restartWithMail(): Promise<void>;
  /** The code of the newest mail to an address. */
  readMailedCode(email: string): Promise<string>;
};

export const password = 'correct horse battery';
