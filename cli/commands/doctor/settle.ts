import { fail, type Outcome } from '../../outcome.ts';

/** What a check throws is a finding as well. */
export async function settle<T>(work: Promise<Outcome<T>>): Promise<Outcome<T>> {
  try {
    return await work;
  } catch (error) {
    return fail('UNEXPECTED', error instanceof Error ? error.message : String(error));
  }
}
