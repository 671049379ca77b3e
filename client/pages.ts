/** What a list answers with. */
type Page<Item> = {
  readonly items: readonly Item[];
  /** Absent on the last page. */
  readonly nextPageToken?: string;
};

/** The items of all pages; a page is asked for when the one before is used up. */
export async function* iteratePages<Item>(
  readPage: (next: { readonly pageToken?: string }) => Promise<Page<Item>>,
): AsyncGenerator<Item, void, undefined> {
  for (let next: { readonly pageToken?: string } = {}; ;) {
    const { items, nextPageToken } = await readPage(next);
    yield* items;
    if (nextPageToken === undefined) return;
    next = { pageToken: nextPageToken };
  }
}
