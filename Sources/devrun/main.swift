internal import DevrunCommands

Devrun.main()
