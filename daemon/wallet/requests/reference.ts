import { referenceKey } from '../../../core/json/metadata.ts';
import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import { canonicalText } from '../../../core/text.ts';

type Metadata = Readonly<Record<string, string>>;

/**
 * Metadata with the reference, which is a pair of it under a name of its own. INVALID_ARGUMENT if
 * it is blank, or if the metadata have another one.
 */
export function addReference(metadata: Metadata, reference: string | undefined): Result<Metadata> {
  if (reference === undefined) return succeed(metadata);
  const text = canonicalText(reference);
  const field = { field: 'reference' };
  if (text === '') return refuse('INVALID_ARGUMENT', 'reference must not be empty', field);
  const known = metadata[referenceKey];
  if (known !== undefined && known !== text) {
    const problem = 'reference differs from the one in metadata: give it once';
    return refuse('INVALID_ARGUMENT', problem, field);
  }
  return succeed({ ...metadata, [referenceKey]: text });
}
