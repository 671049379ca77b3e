import { describe, expect, it } from 'vitest';

import { reasonCodes } from '../../../core/reasons.ts';
import { httpFaults } from '../http/problems.ts';
import { readDocsFile } from './files.ts';
import { renderMarkdown } from './markdown.ts';

describe('HTML of Markdown', () => {
  it.each([
    ['a heading', '## Over HTTP', '<h2 id="over-http">Over HTTP</h2>'],
    ['a paragraph of two lines', 'one\ntwo', '<p>one\ntwo</p>'],
    ['code and strong text', '`a*b` **c**', '<p><code>a*b</code> <strong>c</strong></p>'],
    ['a list', '- a\n  b\n- c', '<ul><li>a\n  b</li><li>c</li></ul>'],
    ['a link', '[a](https://b.example/c)', '<p><a href="https://b.example/c">a</a></p>'],
    ['a link to another document', '[a](operations.md)', '<p>a</p>'],
    ['a link to a script', '[a](javascript:alert)', '<p>a</p>'],
    ['markup', '<b> & "c" `<i>`', '<p>&lt;b&gt; &amp; &quot;c&quot; <code>&lt;i&gt;</code></p>'],
  ])('%s is rendered', (_what, text, html) => {
    expect(renderMarkdown(text)).toBe(html);
  });

  it('a row of a table whose first cell is code has it as its id', () => {
    expect(renderMarkdown('| a | b |\n| --- | --- |\n| `X_Y` | 1 |\n| Z | 2 |')).toBe(
      '<table><thead><tr><th scope="col">a</th><th scope="col">b</th></tr></thead>\n<tbody>\n' +
        '<tr id="X_Y"><td><code>X_Y</code></td><td>1</td></tr>\n' +
        '<tr><td>Z</td><td>2</td></tr>\n</tbody></table>',
    );
  });
});

describe('the page of errors', () => {
  const page = renderMarkdown(readDocsFile('errors.md').toString());
  const ids = [...page.matchAll(/<tr id="(\w+)">/g)].map(([, id]) => id);

  it('each reason has an anchor of its own, to which the type of a problem leads', () => {
    const reasons = [...Object.keys(reasonCodes), ...Object.keys(httpFaults)];
    expect(ids.sort()).toEqual(reasons.sort());
  });

  it('docs/errors.md says the status of each reason of HTTP', () => {
    const text = readDocsFile('errors.md').toString();
    const rows = [...text.matchAll(/^\| `([A-Z_]+)` \| (\d{3}) \|/gm)];
    const expected = Object.entries(httpFaults).map(([reason, { status }]) => [reason, status]);
    expect(Object.fromEntries(rows.map(([, reason, status]) => [reason, Number(status)]))).toEqual(
      Object.fromEntries(expected),
    );
  });
});
