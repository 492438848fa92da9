// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
	"k8s.io/klog/v2"
)

// logOptions say what the process logs and how.
type logOptions struct {
	format    string // text | json
	verbosity int    // 0 what an admin acts on; 1 every warning and denial; 2 every decision and every pod that comes into the ledger
}

func (o *logOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.format, "log-format", "text", "How log lines are written: text or json.")
	flags.IntVarP(&o.verbosity, "verbosity", "v", 0, "How much is logged: 0 what an admin acts on, and once for all its pods that a workload was warned about or refused, 1 every warning and denial, 2 every decision and every pod that comes into the ledger.")
}

func (o *logOptions) validate() error {
	if o.format != "text" && o.format != "json" {
		return fmt.Errorf("--log-format: must be text or json, got %q", o.format)
	}
	if o.verbosity < 0 {
		return fmt.Errorf("--verbosity: must be 0 or more, got %d", o.verbosity)
	}
	return nil
}

// logger makes the one logger of the process, and gives it to klog, which
// client-go writes to.
func (o *logOptions) logger(out io.Writer) logr.Logger {
	options := &slog.HandlerOptions{Level: slog.Level(-o.verbosity), ReplaceAttr: plainLevel}
	var handler slog.Handler = slog.NewTextHandler(out, options)
	if o.format == "json" {
		handler = slog.NewJSONHandler(out, options)
	}
	log := logr.FromSlogHandler(handler)
	// What libraries say without a logger of ours, such as every feature gate they
	// have, is above our own levels.
	klog.SetSlogLogger(slog.New(fromLevel{handler, slog.Level(min(0, ownVerbosity-o.verbosity))}))
	return log
}

// ownVerbosity is the highest verbosity that Headroom's own lines have.
const ownVerbosity = 2

// forManager is the logger for controller-runtime. What it informs of is no
// admin's concern: how it stops, step by step, and each probe that comes before
// everything is ready. Its errors are.
func (o *logOptions) forManager(own logr.Logger) logr.Logger {
	if o.verbosity >= ownVerbosity {
		return own
	}
	return logr.FromSlogHandler(fromLevel{logr.ToSlogHandler(own), slog.LevelWarn})
}

// fromLevel drops what is below a level.
type fromLevel struct {
	slog.Handler
	lowest slog.Level
}

func (h fromLevel) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.lowest && h.Handler.Enabled(ctx, level)
}

func (h fromLevel) WithAttrs(attrs []slog.Attr) slog.Handler {
	return fromLevel{h.Handler.WithAttrs(attrs), h.lowest}
}

func (h fromLevel) WithGroup(name string) slog.Handler {
	return fromLevel{h.Handler.WithGroup(name), h.lowest}
}

// plainLevel writes the levels below INFO as the verbosity that shows them: V1
// and not DEBUG+3.
func plainLevel(groups []string, a slog.Attr) slog.Attr {
	level, isLevel := a.Value.Any().(slog.Level)
	if len(groups) > 0 || a.Key != slog.LevelKey || !isLevel || level >= slog.LevelInfo {
		return a
	}
	return slog.String(slog.LevelKey, "V"+strconv.Itoa(-int(level)))
}
