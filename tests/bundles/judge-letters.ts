import type { Poison } from '../poison/kinds.ts';
import type { LetterRow } from './observed.ts';

/** A letter has no more of a body. */
const keptBytes = 256 * 1024;

/** Each poison message is a dead letter, for its own reason, and nothing else is. */
export function judgeLetters(
  sent: readonly Poison[],
  bundled: readonly Poison[],
  letters: readonly LetterRow[],
): string[] {
  const violations: string[] = [];
  const contentOf = ({ body }: Poison): string => body.subarray(0, keptBytes).toString('latin1');
  const nameOf = (poison: Poison): string => poison.messageId ?? contentOf(poison);
  const poisons = [...sent, ...bundled];
  const isBundled = new Set(bundled);
  const byName = new Map(poisons.map((poison) => [nameOf(poison), poison]));
  const found = new Map<Poison, number>();
  for (const { message_id: id, reason, field, content } of letters) {
    // That of a bundled one has an id which follows from its text.
    const poison = byName.get(id ?? content) ?? byName.get(content);
    if (!poison) {
      violations.push(`a dead letter of no poison message: ${id} ${reason} ${field}`);
      continue;
    }
    found.set(poison, (found.get(poison) ?? 0) + 1);
    const isRight = reason === poison.reason && field === poison.field;
    if (!isRight) violations.push(`${poison.kind}: has the reason ${reason} ${field}`);
    if (content !== contentOf(poison)) violations.push(`${poison.kind}: not as it was sent`);
  }
  for (const poison of poisons) {
    const count = found.get(poison) ?? 0;
    if (count === 0) violations.push(`${poison.kind}: no dead letter`);
    // Without a key a message may become two dead letters if a process is killed.
    const isOnce = poison.messageId !== undefined || isBundled.has(poison);
    if (count > 1 && isOnce) violations.push(`${poison.kind}: ${count} dead letters`);
  }
  return violations;
}
