import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const daemon = join(import.meta.dirname, '../daemon');
const files = readdirSync(daemon, { recursive: true, encoding: 'utf8' }).filter(
  (path) => path.endsWith('.ts') && !/test/.test(path),
);

/** A call by this name, with the function that it stands in; undefined at the top of its file. */
type Call = { readonly node: ts.CallExpression; readonly within: ts.Node | undefined };

function findCalls(source: ts.SourceFile, name: string): Call[] {
  const calls: Call[] = [];
  const visit = (node: ts.Node, within: ts.Node | undefined): void => {
    if (ts.isCallExpression(node) && node.expression.getText(source) === name) {
      calls.push({ node, within });
    }
    const inside = ts.isFunctionLike(node) ? node : within;
    ts.forEachChild(node, (child) => visit(child, inside));
  };
  visit(source, undefined);
  return calls;
}

/** The name of the constant that this function is the value of. */
function nameOf(node: ts.Node, source: ts.SourceFile): string | undefined {
  const { parent } = node;
  return ts.isVariableDeclaration(parent) ? parent.name.getText(source) : undefined;
}

/** True where the text is made once, as the program is loaded: nothing of a caller is there yet. */
function isMadeAtLoad({ within }: Call, source: ts.SourceFile): boolean {
  if (!within) return true;
  const name = nameOf(within, source);
  if (name === undefined) return false;
  const uses = findCalls(source, name);
  return (
    uses.length > 0 &&
    uses.every(({ node, within: outer }) => !outer && node.arguments.every(ts.isStringLiteral))
  );
}

describe('SQL statements', () => {
  const statements = files.flatMap((file) => {
    const text = readFileSync(join(daemon, file), 'utf8');
    const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
    return findCalls(source, 'sql').map((call) => ({
      name: call.node.arguments[0]?.getText(source) ?? '',
      file,
      isFixed: isMadeAtLoad(call, source),
    }));
  });

  it('the program has more than 100 SQL statements', () =>
    expect(statements.length).toBeGreaterThan(100));

  it.each(statements)('SQL $name in $file is fixed', ({ isFixed }) => expect(isFixed).toBe(true));
});
