// The dashboards' types, from @grafana/schema: the dashboard itself, and for each type of panel that they use its options and
// field options. As JSON has them: an enumeration's members by their values.
import type {
  BarGaugePanelCfg, Dashboard, DataQuery, HeatmapPanelCfg, Panel, RowPanel, StatPanelCfg, StateTimelinePanelCfg, TextPanelCfg, TimeSeriesPanelCfg, TableFieldOptions, TableOptions,
} from './schema';

type Json<T> = T extends string ? `${T}`
  : T extends number | boolean | null | undefined ? T
  : T extends (infer Item)[] ? Json<Item>[]
  : T extends object ? { [Key in keyof T]: Json<T[Key]> }
  : T;

// Prometheus's queries, which its data source declares (@grafana/prometheus, public/app/plugins/datasource/prometheus/dataquery.cue).
interface PrometheusQuery extends DataQuery {
  datasource: { type: 'prometheus'; uid: string };
  expr: string;
  legendFormat?: string;
  range: boolean;
  instant: boolean;
  exemplar?: boolean;
  format?: 'time_series' | 'table' | 'heatmap';
  editorMode: 'code' | 'builder';
}

type FieldConfig<Custom> = Omit<NonNullable<Panel['fieldConfig']>, 'defaults'> & {
  defaults: Omit<NonNullable<Panel['fieldConfig']>['defaults'], 'custom'> & { custom?: Partial<Custom> };
};

type PanelOf<Type extends string, Options, Custom = never> = Omit<Panel, 'type' | 'options' | 'fieldConfig' | 'targets' | 'id' | 'gridPos'> &
  Required<Pick<Panel, 'id' | 'gridPos'>> & { type: Type; title: string; options: Options; fieldConfig: FieldConfig<Custom>; targets?: PrometheusQuery[] };

type AnyPanel =
  | PanelOf<'bargauge', BarGaugePanelCfg.Options>
  | PanelOf<'heatmap', HeatmapPanelCfg.Options, HeatmapPanelCfg.FieldConfig>
  | PanelOf<'stat', StatPanelCfg.Options>
  | PanelOf<'state-timeline', StateTimelinePanelCfg.Options, StateTimelinePanelCfg.FieldConfig>
  | PanelOf<'table', TableOptions, TableFieldOptions>
  | PanelOf<'text', TextPanelCfg.Options>
  | PanelOf<'timeseries', TimeSeriesPanelCfg.Options, TimeSeriesPanelCfg.FieldConfig>;

type Row = Omit<RowPanel, 'panels'> & { panels: AnyPanel[] };

export type CheckedDashboard = Json<Omit<Dashboard, 'panels'> & { uid: string; title: string; panels: (AnyPanel | Row)[] }>;
