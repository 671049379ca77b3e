/** What an attack is given: the server, its own addresses, the time, and where it counts. */
export type Attack = {
  readonly host: string;
  readonly port: number;
  /** Local addresses, all of one network. */
  readonly from: readonly string[];
  readonly isOver: () => boolean;
  readonly counts: Map<string, number>;
};
