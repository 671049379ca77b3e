import type { Person } from '../../site.ts';

/** One of the customers of a run. */
export function personAt(people: readonly Person[], place: number): Person {
  const person = people[place % people.length];
  if (!person) throw new Error('the run has no customers');
  return person;
}
