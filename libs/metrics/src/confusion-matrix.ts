import { type ClassificationReport, counted, largest } from '@nautil/contracts';
import { chartBase, drawSvg, palette } from './chart.js';
import { className } from './format-report.js';
import { cutToWidth, displayWidth } from './text-table.js';

const maxLabelledClasses = 20;
const shades = ['#f7fbff', '#c6dbef', '#6baed6', '#2171b5', '#08306b'];
const longestName = 24;

/**
 * Draws the confusion matrix as an SVG heat map. Rows are true classes and columns predicted classes; the colour of a cell
 * is its share of the row. Cells show their count (and share) while there is room for it.
 */
export async function drawConfusionMatrix(report: ClassificationReport): Promise<string> {
  const names = report.classes.map((scores) => cutToWidth(className(scores), longestName));
  const count = names.length;
  const cell = count <= 4 ? 120 : count <= 10 ? 76 : count <= maxLabelledClasses ? 52 : Math.max(6, 900 / count);
  const nameWidth = 7.5 * largest(names.map(displayWidth));
  const upright = nameWidth > cell - 8;
  const left = Math.max(60, nameWidth + 48);
  const bottom = upright ? nameWidth + 84 : 100;
  const plot = cell * count;
  const width = Math.max(480, left + plot + 40);

  const data = report.confusion.flatMap((row, label) =>
    row.flatMap((examples, predicted) => {
      // With many classes nearly all cells are empty. Leaving them to the background keeps the picture below a megabyte.
      if (examples === 0 && count > maxLabelledClasses) return [];
      const support = report.classes[label]!.support;
      const share = support === 0 ? 0 : examples / support;
      return {
        value: [predicted, label, share],
        label: {
          show: count <= maxLabelledClasses,
          formatter: count <= 10 ? `${examples}\n${(share * 100).toFixed(1)} %` : String(examples),
          color: share > 0.55 ? '#ffffff' : palette.text,
          fontSize: count <= 10 ? 13 : 11,
        },
      };
    }),
  );
  const axis = (name: string, nameGap: number, more: object): object => ({
    type: 'category',
    data: names,
    name,
    nameLocation: 'middle',
    nameGap,
    nameTextStyle: { fontSize: 13, color: palette.text },
    axisTick: { show: false },
    axisLine: { show: false },
    ...more,
  });
  const labels = { color: palette.text, fontSize: 12, interval: count <= 60 ? 0 : 'auto' };
  return drawSvg(
    {
      ...chartBase(
        'Confusion matrix',
        `${counted(report.support, 'example')}, accuracy ${(report.accuracy * 100).toFixed(2)} %`,
      ),
      grid: { left, top: 64, width: plot, height: plot, show: true, backgroundColor: shades[0], borderWidth: 0 },
      xAxis: axis('predicted class', upright ? nameWidth + 22 : 30, {
        axisLabel: { ...labels, rotate: upright ? 90 : 0 },
      }),
      yAxis: axis('true class', nameWidth + 22, { inverse: true, axisLabel: labels }),
      visualMap: {
        min: 0,
        max: 1,
        calculable: false,
        silent: true,
        hoverLink: false,
        orient: 'horizontal',
        left: 'center',
        bottom: 8,
        itemHeight: 160,
        itemWidth: 12,
        text: ['100 %', '0 % of the true class'],
        textStyle: { color: palette.text },
        inRange: { color: shades },
      },
      series: [
        {
          type: 'heatmap',
          data,
          silent: true,
          itemStyle: { borderColor: '#ffffff', borderWidth: count <= 60 ? 1 : 0 },
        },
      ],
    },
    { width, height: 64 + plot + bottom },
  );
}
