// What a heat map draws over its cells: the names of the units, and the crosshair.

/** @typedef {import("./attention-heatmap.js").Layout} Layout */
/** @typedef {import("./attention-ink.js").Paint} Paint */
/** @typedef {import("./attention-units.js").Pair} Pair */
/** @typedef {import("./attention-units.js").Unit} Unit */
/** @typedef {{ row: number, column: number, span: number }} View first units in sight, and how many */

/** Smallest cell, in CSS pixels, with room for a name. */
const NAMED = 11;

/**
 * Write the names of the units in sight, left of the cells and above them. Where they would be too close, some are left out, and
 * the marked ones have room.
 * @param {CanvasRenderingContext2D} pen @param {Paint} paint @param {Layout} layout @param {View} view @param {Unit[]} units @param {Pair | null} marked
 */
export function drawLabels(pen, paint, layout, view, units, marked) {
  const { margin, side, cell } = layout;
  pen.font = `${Math.min(13, Math.max(11, cell * 0.8))}px ${paint.font}`;
  pen.textBaseline = "middle";
  const every = cell < NAMED ? Math.ceil((1.4 * NAMED) / cell / 2) * 2 || 1 : 1;
  for (const across of [false, true]) {
    const start = across ? view.column : view.row;
    const mark = marked ? (across ? marked.to : marked.from) : -1;
    for (let unit = Math.floor(start); unit < Math.min(start + view.span, units.length); unit++) {
      if (unit !== mark && (unit % every || (mark >= 0 && Math.abs(unit - mark) < every))) continue;
      const middle = margin + (unit + 0.5 - start) * cell;
      if (middle < margin || middle > margin + side) continue;
      pen.fillStyle = paint.text;
      pen.globalAlpha = unit === mark || (mark < 0 && every === 1) ? 1 : 0.6;
      pen.save();
      if (across) {
        pen.translate(middle, margin - 6);
        pen.rotate(-Math.PI / 2);
        pen.textAlign = "left";
      } else {
        pen.translate(margin - 6, middle);
        pen.textAlign = "right";
      }
      pen.fillText(units[unit].label, 0, 0, margin - 10);
      pen.restore();
    }
  }
  pen.globalAlpha = 1;
}

/** Frame a cell, with lines to the names. @param {CanvasRenderingContext2D} pen @param {Paint} paint @param {Layout} layout @param {View} view @param {Pair} marked */
export function drawCrosshair(pen, paint, layout, view, marked) {
  const { margin, side, cell } = layout;
  const x = margin + (marked.to - view.column) * cell;
  const y = margin + (marked.from - view.row) * cell;
  pen.save();
  pen.beginPath();
  pen.rect(margin, margin, side, side);
  pen.clip();
  pen.strokeStyle = paint.line;
  pen.globalAlpha = 0.45;
  pen.beginPath();
  for (const [x1, y1, x2, y2] of [
    [margin, y + cell / 2, x, y + cell / 2],
    [x + cell, y + cell / 2, margin + side, y + cell / 2],
    [x + cell / 2, margin, x + cell / 2, y],
    [x + cell / 2, y + cell, x + cell / 2, margin + side],
  ]) {
    pen.moveTo(x1, y1);
    pen.lineTo(x2, y2);
  }
  pen.stroke();
  pen.globalAlpha = 1;
  pen.lineWidth = 1.5;
  pen.strokeRect(x - 1, y - 1, Math.max(cell, 2) + 2, Math.max(cell, 2) + 2);
  pen.restore();
}
