module example.org/api

go 1.24

replace example.org/events => ../pkg/events
replace example.org/other => example.org/fork v1.2.0
