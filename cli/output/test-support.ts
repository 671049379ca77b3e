import { jsonFields } from './json-fields.ts';

/** The keys of a JSON answer that `jsonFields` does not have for the command that printed it. */
export function findUnlistedKeys(argv: readonly string[], out: string): string[] {
  const names = [argv.slice(0, 2).join(' '), argv[0] ?? ''];
  const command = names.find((name) => Object.hasOwn(jsonFields, name));
  if (!argv.includes('--json') || command === undefined || out === '') return [];
  const known = new Set(jsonFields[command]);
  const isList = (path: string): boolean => [...known].some((one) => one.startsWith(`${path}[]`));
  return [...new Set(pathsOf(parse(out), ''))].filter((path) => {
    const open = `${path.split('.').slice(0, -1).join('.')}.*`;
    return !known.has(path) && !known.has(open) && !known.has(`${path}.*`) && !isList(path);
  });
}

/** A list that failed midway is no document. */
function parse(out: string): unknown {
  try {
    return JSON.parse(out);
  } catch {
    return undefined;
  }
}

/** The path of each leaf, with `[]` behind an array of objects. */
function pathsOf(value: unknown, path: string): string[] {
  const isObject = (each: unknown): each is object => typeof each === 'object' && each !== null;
  if (Array.isArray(value)) {
    const objects = value.filter(isObject);
    return objects.length === 0 ? [path] : objects.flatMap((each) => pathsOf(each, `${path}[]`));
  }
  if (!isObject(value)) return path === '' ? [] : [path];
  const entries = Object.entries(value);
  if (entries.length === 0 && path !== '') return [path];
  return entries.flatMap(([key, each]) => pathsOf(each, path === '' ? key : `${path}.${key}`));
}
