/** The `code` of a Node or Postgres error (`ENOENT`, `57P03`), or '' without one. */
export function codeOf(err: unknown): string {
  return err instanceof Error && 'code' in err ? String(err.code) : '';
}
