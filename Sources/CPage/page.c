/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of the web page (Sources/Page/Web), embedded in the binary. PageTests fails if one is missing.
 */
#include "CPage.h"

#define HTML "text/html; charset=utf-8"
#define SCRIPT "text/javascript; charset=utf-8"
#define STYLE "text/css; charset=utf-8"
#define IMAGE "image/svg+xml"

static const unsigned char api_js[] = {
#embed "api.js"
};

static const unsigned char audit_js[] = {
#embed "audit.js"
};

static const unsigned char base_css[] = {
#embed "base.css"
};

static const unsigned char changes_js[] = {
#embed "changes.js"
};

static const unsigned char chart_js[] = {
#embed "chart.js"
};

static const unsigned char commands_js[] = {
#embed "commands.js"
};

static const unsigned char counted_js[] = {
#embed "counted.js"
};

static const unsigned char dom_js[] = {
#embed "dom.js"
};

static const unsigned char empty_js[] = {
#embed "empty.js"
};

static const unsigned char ends_js[] = {
#embed "ends.js"
};

static const unsigned char filter_js[] = {
#embed "filter.js"
};

static const unsigned char filterbar_js[] = {
#embed "filterbar.js"
};

static const unsigned char findings_js[] = {
#embed "findings.js"
};

static const unsigned char graphdrawing_js[] = {
#embed "graphdrawing.js"
};

static const unsigned char graphfold_js[] = {
#embed "graphfold.js"
};

static const unsigned char graphgeometry_js[] = {
#embed "graphgeometry.js"
};

static const unsigned char graphlayout_js[] = {
#embed "graphlayout.js"
};

static const unsigned char icon_svg[] = {
#embed "icon.svg"
};

static const unsigned char icons_js[] = {
#embed "icons.js"
};

static const unsigned char index_html[] = {
#embed "index.html"
};

static const unsigned char keys_js[] = {
#embed "keys.js"
};

static const unsigned char main_js[] = {
#embed "main.js"
};

static const unsigned char names_js[] = {
#embed "names.js"
};

static const unsigned char pair_js[] = {
#embed "pair.js"
};

static const unsigned char pairlist_js[] = {
#embed "pairlist.js"
};

static const unsigned char parts_css[] = {
#embed "parts.css"
};

static const unsigned char parts_js[] = {
#embed "parts.js"
};

static const unsigned char podgraph_js[] = {
#embed "podgraph.js"
};

static const unsigned char preview_js[] = {
#embed "preview.js"
};

static const unsigned char record_js[] = {
#embed "record.js"
};

static const unsigned char recordcolumns_js[] = {
#embed "recordcolumns.js"
};

static const unsigned char recorddetail_js[] = {
#embed "recorddetail.js"
};

static const unsigned char ring_js[] = {
#embed "ring.js"
};

static const unsigned char ringdrawing_js[] = {
#embed "ringdrawing.js"
};

static const unsigned char scale_js[] = {
#embed "scale.js"
};

static const unsigned char shell_js[] = {
#embed "shell.js"
};

static const unsigned char state_js[] = {
#embed "state.js"
};

static const unsigned char store_js[] = {
#embed "store.js"
};

static const unsigned char table_js[] = {
#embed "table.js"
};

static const unsigned char text_js[] = {
#embed "text.js"
};

static const unsigned char timemenu_js[] = {
#embed "timemenu.js"
};

static const unsigned char trace_js[] = {
#embed "trace.js"
};

static const unsigned char views_css[] = {
#embed "views.css"
};

static const unsigned char views_flows_js[] = {
#embed "views/flows.js"
};

static const unsigned char views_graph_js[] = {
#embed "views/graph.js"
};

static const unsigned char views_overview_js[] = {
#embed "views/overview.js"
};

static const unsigned char views_policies_js[] = {
#embed "views/policies.js"
};

static const unsigned char views_records_js[] = {
#embed "views/records.js"
};

static const unsigned char views_timeline_js[] = {
#embed "views/timeline.js"
};

static const struct weir_page_file files[] = {
	{ "/assets/api.js", SCRIPT, api_js, sizeof(api_js) },
	{ "/assets/audit.js", SCRIPT, audit_js, sizeof(audit_js) },
	{ "/assets/base.css", STYLE, base_css, sizeof(base_css) },
	{ "/assets/changes.js", SCRIPT, changes_js, sizeof(changes_js) },
	{ "/assets/chart.js", SCRIPT, chart_js, sizeof(chart_js) },
	{ "/assets/commands.js", SCRIPT, commands_js, sizeof(commands_js) },
	{ "/assets/counted.js", SCRIPT, counted_js, sizeof(counted_js) },
	{ "/assets/dom.js", SCRIPT, dom_js, sizeof(dom_js) },
	{ "/assets/empty.js", SCRIPT, empty_js, sizeof(empty_js) },
	{ "/assets/ends.js", SCRIPT, ends_js, sizeof(ends_js) },
	{ "/assets/filter.js", SCRIPT, filter_js, sizeof(filter_js) },
	{ "/assets/filterbar.js", SCRIPT, filterbar_js, sizeof(filterbar_js) },
	{ "/assets/findings.js", SCRIPT, findings_js, sizeof(findings_js) },
	{ "/assets/graphdrawing.js", SCRIPT, graphdrawing_js, sizeof(graphdrawing_js) },
	{ "/assets/graphfold.js", SCRIPT, graphfold_js, sizeof(graphfold_js) },
	{ "/assets/graphgeometry.js", SCRIPT, graphgeometry_js, sizeof(graphgeometry_js) },
	{ "/assets/graphlayout.js", SCRIPT, graphlayout_js, sizeof(graphlayout_js) },
	{ "/assets/icon.svg", IMAGE, icon_svg, sizeof(icon_svg) },
	{ "/assets/icons.js", SCRIPT, icons_js, sizeof(icons_js) },
	{ "/", HTML, index_html, sizeof(index_html) },
	{ "/assets/keys.js", SCRIPT, keys_js, sizeof(keys_js) },
	{ "/assets/main.js", SCRIPT, main_js, sizeof(main_js) },
	{ "/assets/names.js", SCRIPT, names_js, sizeof(names_js) },
	{ "/assets/pair.js", SCRIPT, pair_js, sizeof(pair_js) },
	{ "/assets/pairlist.js", SCRIPT, pairlist_js, sizeof(pairlist_js) },
	{ "/assets/parts.css", STYLE, parts_css, sizeof(parts_css) },
	{ "/assets/parts.js", SCRIPT, parts_js, sizeof(parts_js) },
	{ "/assets/podgraph.js", SCRIPT, podgraph_js, sizeof(podgraph_js) },
	{ "/assets/preview.js", SCRIPT, preview_js, sizeof(preview_js) },
	{ "/assets/record.js", SCRIPT, record_js, sizeof(record_js) },
	{ "/assets/recordcolumns.js", SCRIPT, recordcolumns_js, sizeof(recordcolumns_js) },
	{ "/assets/recorddetail.js", SCRIPT, recorddetail_js, sizeof(recorddetail_js) },
	{ "/assets/ring.js", SCRIPT, ring_js, sizeof(ring_js) },
	{ "/assets/ringdrawing.js", SCRIPT, ringdrawing_js, sizeof(ringdrawing_js) },
	{ "/assets/scale.js", SCRIPT, scale_js, sizeof(scale_js) },
	{ "/assets/shell.js", SCRIPT, shell_js, sizeof(shell_js) },
	{ "/assets/state.js", SCRIPT, state_js, sizeof(state_js) },
	{ "/assets/store.js", SCRIPT, store_js, sizeof(store_js) },
	{ "/assets/table.js", SCRIPT, table_js, sizeof(table_js) },
	{ "/assets/text.js", SCRIPT, text_js, sizeof(text_js) },
	{ "/assets/timemenu.js", SCRIPT, timemenu_js, sizeof(timemenu_js) },
	{ "/assets/trace.js", SCRIPT, trace_js, sizeof(trace_js) },
	{ "/assets/views.css", STYLE, views_css, sizeof(views_css) },
	{ "/assets/views/flows.js", SCRIPT, views_flows_js, sizeof(views_flows_js) },
	{ "/assets/views/graph.js", SCRIPT, views_graph_js, sizeof(views_graph_js) },
	{ "/assets/views/overview.js", SCRIPT, views_overview_js, sizeof(views_overview_js) },
	{ "/assets/views/policies.js", SCRIPT, views_policies_js, sizeof(views_policies_js) },
	{ "/assets/views/records.js", SCRIPT, views_records_js, sizeof(views_records_js) },
	{ "/assets/views/timeline.js", SCRIPT, views_timeline_js, sizeof(views_timeline_js) },
};

size_t weir_page_file_count(void)
{
	return sizeof(files) / sizeof(files[0]);
}

struct weir_page_file weir_page_file_at(size_t index)
{
	return files[index];
}
