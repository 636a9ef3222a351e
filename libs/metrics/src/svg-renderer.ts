import { createHash } from 'node:crypto';
import { HeatmapChart, LineChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TitleComponent, VisualMapComponent } from 'echarts/components';
import { init, use, type EChartsCoreOption } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';

use([SVGRenderer, LineChart, HeatmapChart, GridComponent, LegendComponent, TitleComponent, VisualMapComponent]);

/** Draws an ECharts option as SVG text; the same option gives the same bytes. */
export function renderSvg(option: EChartsCoreOption, size: { width: number; height: number }): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, ...size });
  try {
    chart.setOption(option);
    return stillPicture(chart.renderToSVGString());
  } finally {
    chart.dispose();
  }
}

/**
 * Takes out what only a page with a mouse has: the style sheet for hovering with its classes, and what ECharts' client
 * reads. Classes and ids count everything that the process has drawn. The ids that stay (gradients, clips) are named by
 * the picture instead, so that several can stand in one page.
 */
function stillPicture(svg: string): string {
  const still = svg
    .replaceAll(/<style\b[^>]*>.*?<\/style>\s*/gs, '')
    .replaceAll(/ (?:class|ecmeta_\w+)="[^"]*"/g, '')
    .replaceAll(/(?<=id="|url\(#)zr\d+-/g, 'chart-');
  const name = createHash('sha256').update(still).digest('hex').slice(0, 8);
  return still.replaceAll(/(?<=id="|url\(#)chart-/g, `chart-${name}-`);
}
