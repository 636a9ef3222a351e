import { createHash } from 'node:crypto';
import { HeatmapChart, LineChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TitleComponent, VisualMapComponent } from 'echarts/components';
import { type EChartsCoreOption, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';

use([SVGRenderer, LineChart, HeatmapChart, GridComponent, LegendComponent, TitleComponent, VisualMapComponent]);

/** Renders an ECharts option as SVG text; equal options give equal bytes. */
export function renderSvg(option: EChartsCoreOption, size: { width: number; height: number }): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, ...size });
  try {
    chart.setOption(option);
    return withoutInteraction(chart.renderToSVGString());
  } finally {
    chart.dispose();
  }
}

/**
 * Removes what only an interactive page needs: the hover style sheet, its classes, and the attributes that ECharts' client
 * code reads. ECharts numbers classes and ids across the whole process, so the same chart would differ from call to call.
 * The remaining ids (gradients, clip paths) are derived from the content, so that several charts can share one page.
 */
function withoutInteraction(svg: string): string {
  const stripped = svg
    .replaceAll(/<style\b[^>]*>.*?<\/style>\s*/gs, '')
    .replaceAll(/ (?:class|ecmeta_\w+)="[^"]*"/g, '')
    .replaceAll(/(?<=id="|url\(#)zr\d+-/g, 'chart-');
  const name = createHash('sha256').update(stripped).digest('hex').slice(0, 8);
  return stripped.replaceAll(/(?<=id="|url\(#)chart-/g, `chart-${name}-`);
}
