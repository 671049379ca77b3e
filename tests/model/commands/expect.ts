/** Throws unless what the daemon said is what the model says. */
export function expectSame(what: string, found: unknown, expected: unknown): void {
  const [a, b] = [found, expected].map((value) =>
    JSON.stringify(value, (_name, each: unknown) =>
      typeof each === 'bigint' ? String(each) : each,
    ),
  );
  if (a !== b) throw new Error(`${what}: the daemon said ${a}, the model says ${b}`);
}
