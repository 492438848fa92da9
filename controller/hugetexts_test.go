// Copyright The Headroom Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// huge is as much as a client may write into one field: etcd takes no more than that for an object.
var huge = strings.Repeat("x", 3<<19)

// checkedByTheAPIServer are the fields that are kept as they are, as the API server bounds their length or knows all their values
// (validation.ValidatePodCreate and ValidatePodStatusUpdate), or writes them itself. Further fields need such a reason.
var checkedByTheAPIServer = regexp.MustCompile(`^(` + strings.Join([]string{
	`metadata\.(name|namespace|uid|resourceVersion|labels\..*)`,
	`spec\.(nodeName|priorityClassName|os\.name|nodeSelector\..*|schedulingGates\.name)`,
	`spec\.tolerations\.(key|operator|value|effect)`,
	`spec\.affinity\.nodeAffinity\.requiredDuringSchedulingIgnoredDuringExecution\.nodeSelectorTerms\.match(Expressions|Fields)\.(key|operator|values)`,
	`spec\.(initContainers|containers|ephemeralContainers)\.(name|imagePullPolicy|restartPolicy)`,
	`spec\.(initContainers\.resources\.|containers\.resources\.|resources\.)(requests|limits)\.key`,
	`spec\.resources\.claims\.(name|request)`,
	`spec\.overhead\.key`,
	`spec\.volumes\.(name|image\.pullPolicy)`,
}, "|") + `)$`)

// TestHugeTextsOfPodsAreNotKept fills each field of a pod in turn.
func TestHugeTextsOfPodsAreNotKept(t *testing.T) {
	const limit = 16 << 10
	var fields []string
	filledPod(func(path string) string { fields = append(fields, path); return "x" })
	if len(fields) < 300 || !slices.Contains(fields, "metadata.ownerReferences.uid") {
		t.Fatalf("%d fields of a pod are tried", len(fields))
	}
	for _, field := range fields {
		if checkedByTheAPIServer.MatchString(field) {
			continue
		}
		for about, change := range map[string]func(*corev1.Pod){
			"waiting": func(p *corev1.Pod) { p.Spec.NodeName = "" },
			"bound":   func(p *corev1.Pod) { p.Spec.NodeName = "n" },
		} {
			p := filledPod(func(path string) string {
				if path == field {
					return huge
				}
				return "x"
			})
			change(p)
			if kept := textIn(reflect.ValueOf(slimPod(p))); kept > limit {
				t.Errorf("%s of a pod that is %s: %d bytes are kept, want %d at most", field, about, kept, limit)
			}
			if kept := textIn(reflect.ValueOf(newPodFeed().row(p))); kept > 2*limit {
				t.Errorf("%s of a pod that is %s: %d bytes are in its row and its template, want %d at most", field, about, kept, 2*limit)
			}
			if kept := textIn(reflect.ValueOf(workloadsOf(heldOf([]*corev1.Pod{p}), ""))); kept > 2*limit {
				t.Errorf("%s of a pod that is %s: %d bytes are in its workload, want %d at most", field, about, kept, 2*limit)
			}
		}
	}
}

// filledPod has one of everything that a pod may have, and texts by their path in its JSON.
func filledPod(text func(path string) string) *corev1.Pod {
	p := &corev1.Pod{}
	fill(reflect.ValueOf(p).Elem(), "", text)
	return p
}

func fill(v reflect.Value, path string, text func(string) string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text(path))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), path, text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), path, text)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, path+".key", text)
		fill(value, path+".value", text)
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			// A quantity's Format has no name in JSON. With a deletionTimestamp, the pod would be on its way out.
			named := name != "" || field.Type.Kind() == reflect.Struct
			if field.IsExported() && named && name != "deletionTimestamp" {
				fill(v.Field(i), strings.Trim(path+"."+name, "."), text)
			}
		}
	default:
	}
}

// textIn counts the bytes of all texts that can be reached.
func textIn(v reflect.Value) (bytes int) {
	switch v.Kind() {
	case reflect.String:
		return v.Len()
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return textIn(v.Elem())
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return v.Len()
		}
		for i := range v.Len() {
			bytes += textIn(v.Index(i))
		}
	case reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			bytes += textIn(entries.Key()) + textIn(entries.Value())
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			bytes += textIn(field)
		}
	default:
	}
	return bytes
}
