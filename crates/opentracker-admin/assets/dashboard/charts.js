// Charts with a legend and a table of the same values. uPlot draws them.

const HEIGHT = 170;
const TABLE_ROWS = 12;
// What a chart shows at least, when there are few values yet.
const LEAST_SECS = 60;
const DOUBLES = Array.from({ length: 50 }, (_, power) => 2 ** power);
const charts = [];

// The colour that an element of a class has now: a canvas knows no variables.
const probe = make("span", { hidden: true });
function colour(name) {
  probe.className = name;
  return getComputedStyle(probe).color;
}

class Chart {
  constructor(title, write, { isLog = false, isBinary = false } = {}) {
    this.title = title;
    this.write = write;
    this.isLog = isLog;
    this.isBinary = isBinary;
    this.names = [];
    this.times = [];
    this.columns = [];
    this.plot = null;
    this.canvas = make("div", { className: "plot", role: "img" });
    this.legend = make("ul", { className: "legend" });
    this.table = make("table");
    const scroll = make("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: `${title}, as a table` }, this.table);
    this.details = make("details", {}, make("summary", { textContent: "As a table" }), scroll);
    this.details.addEventListener("toggle", () => this.fillTable());
    this.pointed = make("span", { className: "soft" });
    const head = make("div", { className: "head" }, make("h3", { textContent: title }), this.pointed);
    this.figure = make("figure", {}, head, this.legend, this.canvas, this.details);
    at("charts").append(this.figure);
    new ResizeObserver(() => {
      const width = this.canvas.clientWidth;
      if (width) this.plot?.setSize({ width, height: HEIGHT });
    }).observe(this.canvas);
    charts.push(this);
  }

  // Times are in seconds since 1970; a column has as many values, null where there is none.
  set(times, names, columns, spanSecs) {
    const isOther = names.join() !== this.names.join() || spanSecs !== this.spanSecs;
    Object.assign(this, { times, names, columns, spanSecs });
    if (isOther) this.draw();
    else this.plot.setData([times, ...columns]);
    this.fillLegend();
    if (this.details.open) this.fillTable();
  }

  draw() {
    this.plot?.destroy();
    const axis = { stroke: colour("ink"), grid: { stroke: colour("grid"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const ofSpan = (_, least, most) => {
      const end = most ?? Date.now() / 1000;
      return [Math.max(end - this.spanSecs, Math.min(least ?? end, end - LEAST_SECS)), end];
    };
    const fromZero = (_, __, most) => [0, uPlot.rangeNum(0, Math.max(most ?? 0, 1e-6), 0.1, true)[1]];
    // Like a logarithm, but with a zero: what is rare shows beside what is not.
    const fromZeroByPowers = (_, __, most) => [0, Math.max(most ?? 0, 1) * 1.5];
    this.plot = new uPlot({
      width: this.canvas.clientWidth || 300,
      height: HEIGHT,
      padding: [8, 24, 0, 0],
      legend: { show: false },
      // All charts show the values of one time.
      cursor: { drag: { x: false, y: false }, y: false, sync: { key: "time" } },
      scales: { x: { range: ofSpan }, y: this.isLog ? { distr: 4, asinh: 1, range: fromZeroByPowers } : { range: fromZero } },
      axes: [
        { ...axis, size: 28, space: 70, values: (_, ticks) => ticks.map((secs) => tick(secs, ticks[1] - ticks[0])) },
        { ...axis, size: 58, space: 34, ...(this.isLog && { splits: powers }), ...(this.isBinary && { incrs: DOUBLES }), values: (_, ticks) => ticks.map((value) => (value == null ? "" : this.write(value, true))) },
      ],
      series: [{}, ...this.names.map((name, index) => ({
        label: name,
        stroke: colour(`s${index + 1}`),
        width: 2,
        fill: this.names.length === 1 ? colour("s1").replace("rgb(", "rgba(").replace(")", ", .12)") : undefined,
        points: { show: false },
      }))],
      hooks: { setCursor: [() => this.fillLegend()] },
    }, [this.times, ...this.columns], this.canvas);
  }

  // Shows the latest values, or those under the pointer.
  fillLegend() {
    const pointed = this.plot?.cursor.idx;
    const index = pointed ?? this.times.length - 1;
    show(this.pointed, pointed == null ? "" : this.timeOf(pointed));
    const value = (column) => this.write(column[index]);
    const items = this.names.map((name, number) => [name, value(this.columns[number]), number]);
    const create = ([, , number]) => make("li", {}, make("i", { className: `s${number + 1}` }), make("span"), " ", make("b"));
    fillList(this.legend, items, ([name, , number]) => number + name, create, (node, [name, text]) => {
      show(node.children[1], name);
      show(node.children[2], text);
    });
    const label = `${this.title}: ${items.map(([name, text]) => `${name} ${text}`).join(", ")}`;
    if (pointed == null) this.canvas.setAttribute("aria-label", label);
  }

  timeOf(index) {
    return (this.spanSecs > 3600 ? dayAndTime : clock)(this.times[index] * 1000);
  }

  fillTable() {
    if (!this.details.open) return;
    const last = this.times.length - 1;
    const step = Math.max(1, Math.ceil(this.times.length / TABLE_ROWS));
    const rows = [];
    for (let index = last; index >= 0; index -= step) rows.push(index);
    const head = make("tr", {}, ...["Time", ...this.names].map((name, number) => make("th", { scope: "col", textContent: name, className: number ? "number" : "" })));
    const body = rows.map((index) => {
      const row = createRow(["", ...this.names.map(() => "number")]);
      fillRow(row, [this.timeOf(index), ...this.columns.map((column) => this.write(column[index]))]);
      return row;
    });
    this.table.replaceChildren(make("caption", { className: "hidden", textContent: this.title }), make("thead", {}, head), make("tbody", {}, ...body));
  }
}

function powers(_, __, least, most) {
  const splits = [0];
  for (let power = most < 50 ? 1 : 10; power < most; power *= 10) splits.push(power);
  return splits;
}

function tick(secs, stepSecs) {
  const date = new Date(secs * 1000);
  if (stepSecs < 60) return clock(date);
  if (stepSecs >= 43200) return date.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  return date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

function redrawCharts() {
  for (const chart of charts) if (chart.plot) chart.draw();
}
