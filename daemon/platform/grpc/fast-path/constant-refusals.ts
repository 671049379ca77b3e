import type { Rejection } from '../../../../core/reasons.ts';
import { toRefused, type Refused } from '../errors.ts';

/** Several of each, because they differ in the pause that they ask for. */
const formsOfEach = 32;

type Forms = {
  readonly refused: readonly Refused[];
  /** Where the request id stands in each. */
  readonly offsets: readonly number[];
};

/**
 * `toRefused` for rejections that are the same object each time, like those for overload: encoded
 * once for request ids of each length, then only the id is written. To encode one takes 8 KiB of
 * memory and more time than all else that our own code does for such a refusal.
 */
export function createConstantRefusals(): (rejection: Rejection, requestId: string) => Refused {
  const known = new WeakMap<Rejection, (Forms | undefined)[]>();
  let turn = 0;
  return (rejection, requestId) => {
    let byLength = known.get(rejection);
    if (!byLength) known.set(rejection, (byLength = []));
    const forms = (byLength[requestId.length] ??= encodeForms(rejection, requestId.length));
    turn = (turn + 1) % formsOfEach;
    const form = forms.refused[turn] as Refused;
    const details = Buffer.from(form.details);
    details.write(requestId, forms.offsets[turn] ?? 0, 'latin1');
    return { ...form, details };
  };
}

function encodeForms(rejection: Rejection, length: number): Forms {
  const placeholder = '\u0001'.repeat(length);
  const refused = Array.from({ length: formsOfEach }, () => toRefused(rejection, placeholder));
  return { refused, offsets: refused.map(({ details }) => details.indexOf(placeholder)) };
}
