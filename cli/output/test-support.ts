import { jsonFields } from './json-fields.ts';

/** The keys of a JSON answer that `jsonFields` does not have for the command that printed it. */
export function findUnlistedKeys(argv: readonly string[], out: string): string[] {
  const names = [argv.slice(0, 2).join(' '), argv[0] ?? ''];
  const command = names.find((name) => Object.hasOwn(jsonFields, name));
  if (!argv.includes('--json') || command === undefined || out === '') return [];
  const known = new Set(jsonFields[command]);
  return [...new Set(pathsOf(JSON.parse(out), ''))].filter((path) => {
    const open = `${path.split('.').slice(0, -1).join('.')}.*`;
    return !known.has(path) && !known.has(open) && !known.has(`${path}.*`);
  });
}

/** The path of each leaf, with `[]` behind an array of objects. */
function pathsOf(value: unknown, path: string): string[] {
  const isObject = (each: unknown): each is object => typeof each === 'object' && each !== null;
  if (Array.isArray(value)) {
    const objects = value.filter(isObject);
    return objects.length === 0
      ? [path].filter((each) => !['items', 'statement.lines'].includes(each))
      : objects.flatMap((each) => pathsOf(each, `${path}[]`));
  }
  if (!isObject(value)) return [path];
  const entries = Object.entries(value);
  if (entries.length === 0 && path !== '') return [path];
  return entries.flatMap(([key, each]) => pathsOf(each, path === '' ? key : `${path}.${key}`));
}
