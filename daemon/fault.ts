/** Why a start or a command failed, and what the operator can do about it. */
export type Fault = { readonly fault: string; readonly hint: string };

export type Failure = { readonly ok: false; readonly fault: Fault };
export type Outcome<T> = { readonly ok: true; readonly value: T } | Failure;

export function succeed<T>(value: T): Outcome<T> {
  return { ok: true, value };
}

export function fail(fault: string, hint: string): Failure {
  return { ok: false, fault: { fault, hint } };
}
