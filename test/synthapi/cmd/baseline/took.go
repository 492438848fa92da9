// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// took is what reading all took.
type took struct {
	Nodes            int     `json:"nodes"`
	Pods             int     `json:"pods"`
	Bytes            int64   `json:"bytes,omitempty"`
	Seconds          float64 `json:"seconds"`
	CPUSeconds       float64 `json:"cpuSeconds"`
	DecodeCPUSeconds float64 `json:"decodeCPUSeconds,omitempty"`
	// LiveBytes is what is in use of the heap after a collection, ResidentBytes what the process then has, and
	// MostResidentBytes what it has had at most.
	LiveBytes         uint64 `json:"liveBytes"`
	ResidentBytes     int64  `json:"residentBytes"`
	MostResidentBytes int64  `json:"mostResidentBytes"`

	began    time.Time
	beganCPU float64
}

func begin() *took { return &took{began: time.Now(), beganCPU: cpuSeconds()} }

// end fills in what is measured at the end. The first two are of the work alone.
func (t *took) end() error {
	t.Seconds, t.CPUSeconds = time.Since(t.began).Seconds(), cpuSeconds()-t.beganCPU
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.LiveBytes = m.HeapAlloc
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		into := map[string]*int64{"VmRSS": &t.ResidentBytes, "VmHWM": &t.MostResidentBytes}[name]
		if into == nil {
			continue
		}
		if _, err := fmt.Sscan(value, into); err != nil {
			return fmt.Errorf("/proc/self/status: %q: %w", line, err)
		}
		*into <<= 10
	}
	return nil
}

// cpuSeconds is what the process has used of processors, in user mode and in the kernel.
func cpuSeconds() float64 {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		panic(err) // it never fails for oneself
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}
