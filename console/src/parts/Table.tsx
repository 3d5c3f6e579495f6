import type { ComponentChildren } from 'preact';

export interface Column<T> {
  title: string;
  cell: (row: T) => ComponentChildren;
  numeric?: boolean;
}

/**
 * A table that becomes a list of cards where there is no room for columns. The roles are written out, because elements that
 * are no longer laid out as a table lose theirs.
 */
export function Table<T>({ label, columns, rows, keyOf }: { label: string; columns: Column<T>[]; rows: T[]; keyOf: (row: T) => string }) {
  return (
    <table role="table" aria-label={label}>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map(column => (
            <th role="columnheader" scope="col" class={column.numeric ? 'numeric' : undefined} key={column.title}>
              {column.title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map(row => (
          <tr role="row" key={keyOf(row)}>
            {columns.map((column, index) =>
              index === 0 ? (
                <th role="rowheader" scope="row" key={column.title}>
                  {column.cell(row)}
                </th>
              ) : (
                <td role="cell" class={column.numeric ? 'numeric' : undefined} data-title={column.title} key={column.title}>
                  {column.cell(row)}
                </td>
              ),
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
