/**
 * HTML of the Markdown that docs/errors.md is written in: headings, paragraphs, lists, tables,
 * code, strong text and links. Everything else is text. A row of a table whose first cell is code
 * has that text as its id.
 */
export function renderMarkdown(text: string): string {
  const blocks = text.split(/\n{2,}/).map((block) => block.trim());
  return blocks
    .filter((block) => block !== '')
    .map(renderBlock)
    .join('\n');
}

function renderBlock(block: string): string {
  const heading = /^(#{1,4}) (.+)$/.exec(block);
  if (heading) {
    const [, { length: level } = '', title = ''] = heading;
    const id = title.toLowerCase().replace(/[^a-z0-9]+/g, '-');
    return `<h${level} id="${id}">${renderInline(title)}</h${level}>`;
  }
  if (block.startsWith('|')) return renderTable(block);
  if (block.startsWith('- ')) {
    const items = block.split(/\n(?=- )/).map((item) => renderInline(item.slice(2)));
    return `<ul>${items.map((item) => `<li>${item}</li>`).join('')}</ul>`;
  }
  return `<p>${renderInline(block)}</p>`;
}

function renderTable(block: string): string {
  const [head = [], , ...rows] = block.split('\n').map((line) =>
    line
      .replace(/^\||\|\s*$/g, '')
      .split('|')
      .map((cell) => cell.trim()),
  );
  const headers = head.map((cell) => `<th scope="col">${renderInline(cell)}</th>`).join('');
  const body = rows.map((cells) => {
    const id = /^`(\w+)`$/.exec(cells[0] ?? '')?.[1];
    const tds = cells.map((cell) => `<td>${renderInline(cell)}</td>`).join('');
    return `<tr${id === undefined ? '' : ` id="${id}"`}>${tds}</tr>`;
  });
  return (
    `<table><thead><tr>${headers}</tr></thead>\n` + `<tbody>\n${body.join('\n')}\n</tbody></table>`
  );
}

/** Code is taken out first: what looks like strong text or a link within it is none. */
const renderInline = (text: string): string =>
  text
    .split(/(`[^`]*`)/)
    .map((part) =>
      part.startsWith('`') && part.length > 1
        ? `<code>${escapeHtml(part.slice(1, -1))}</code>`
        : renderText(part),
    )
    .join('');

function renderText(text: string): string {
  return escapeHtml(text)
    .replace(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>')
    .replace(/\[([^\]]+)\]\(([^)\s]+)\)/g, (_link, label: string, target: string) =>
      // Other documents are not served.
      /^(https:\/\/|#)/.test(target) ? `<a href="${target}">${label}</a>` : label,
    );
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (c) => entities[c] ?? c);
